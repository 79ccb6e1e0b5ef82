# Two commands do everything on a machine with Python ≥ 3.11 (with pip and venv) and make:
#
#   make demo   the main job on real digits, into runs/demo/
#   make test   the whole test suite
#   make docs   the documentation as a site, into build/site/
PYTHON ?= python3

.PHONY: demo test docs install clean
.DEFAULT_GOAL := demo

demo: install
	.venv/bin/trivium demo --out runs/demo

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "trivium needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	@echo "Installing Keras with TensorFlow, JAX and PyTorch into .venv (about 3 GB, some minutes) …"
	.venv/bin/python -m pip install --disable-pip-version-check --progress-bar off -q -c constraints.txt -e '.[all,test]'
	@touch $@

test: .venv-tox/bin/tox
	.venv-tox/bin/tox run-parallel --parallel 2 --parallel-live

docs: .venv-tox/bin/tox
	.venv-tox/bin/tox run -e docs
	@echo "Open build/site/index.html"

.venv-tox/bin/tox:
	$(PYTHON) -m venv .venv-tox
	.venv-tox/bin/python -m pip install --disable-pip-version-check -q 'tox>=4.20'

clean:
	rm -rf .venv .venv-tox .tox build *.egg-info
