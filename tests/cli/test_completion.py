"""Completion: what the shells are told, and what real shells make of it."""

import json
import shutil
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner
from shells import completed

from trivium.backends import catalog
from trivium.cli.completion.names import COMPLETERS
from trivium.cli.completion.shells import SHELLS, complete
from trivium.cli.main import cli

pytestmark = pytest.mark.plain

# Bash must be there. The others are tried where they are: a machine need not have them.
INSTALLED = ["bash", *(shell for shell in ("zsh", "fish") if shutil.which(shell))]


@pytest.fixture
def answers(monkeypatch, capsys, tmp_path):
    """Return a function that returns the answers to the beginning of a line, in a folder with a run."""
    (tmp_path / "runs" / "digits").mkdir(parents=True)
    (tmp_path / "runs" / "digits" / "run.json").write_text("{}")
    (tmp_path / "runs" / "no-run").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("_TRIVIUM_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDBREAKS", " \t\n\"'><=;|&(:")

    def ask(line):
        monkeypatch.setenv("COMP_LINE", line)
        assert complete(cli) == 0
        return capsys.readouterr().out.split()

    return ask


def script(shell):
    return CliRunner().invoke(cli, ["completion", shell]).output


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("trivium tr", ["plain,train", "plain,transfer"]),
        ("trivium bench pool", ["plain,pooling-vs-striding"]),
        ("trivium runs sh", ["plain,show"]),
        ("trivium train --json cnn/striding-", ["plain,cnn/striding-batchnorm"]),
        ("trivium train cnn/striding --early", ["plain,--early-stopping"]),
        ("trivium train cnn/striding --backend au", ["plain,auto"]),
        ("trivium evaluate runs/digits --backend au", []),
        ("trivium search dense/dropout --set un", ["plain,units="]),
        ("trivium data waves:", ["plain,0", "plain,1", "plain,2"]),
        ("trivium train cnn/striding --data=mnist:s", ["plain,sample"]),
        ("trivium port runs/digits --to source:t", ["plain,tensorflow", "plain,torch"]),
        ("trivium bench epochs --recipes rnn/lstm,cnn/pool", ["plain,rnn/lstm,cnn/pooling"]),
        ("trivium evaluate ", ["plain,runs/digits"]),
        ("trivium runs compare runs/digits ", ["plain,runs/digits"]),
        ("trivium predict model", ["file,model"]),
        ("trivium train cnn/striding --config=set", ["file,set"]),
        ("trivium bench nosuch ", ["plain,batch-size"]),
    ],
)
def test_a_shell_is_told_the_names_that_fit(answers, line, expected):
    assert answers(line)[: len(expected)] == expected
    assert len(answers(line)) == len(expected) or line.endswith("nosuch ")


def test_several_backends_are_completed_one_after_the_other(answers):
    first, *_ = (backend.name for backend in catalog.installed())
    assert f"plain,{first}" in answers("trivium verify cnn/striding --backends ")
    assert f"plain,{first},{first}" not in answers(f"trivium verify cnn/striding --backends {first},")


def test_every_completed_parameter_exists():
    known = set()

    def collect(command, path):
        for parameter in command.params:
            name = max(parameter.opts, key=len)
            known.update((name, f"{path} {name}"))
        for name in command.list_commands(None) if isinstance(command, click.Group) else ():
            collect(command.get_command(None, name), f"{path} {name}".strip())

    collect(cli, "")
    assert set(COMPLETERS) <= known


def test_no_framework_is_imported_to_complete(tmp_path):
    source = (
        "import os, sys\nfrom trivium.cli.main import main\n"
        "os.environ |= {'_TRIVIUM_COMPLETE': 'bash_complete', 'COMP_LINE': 'trivium train cnn/striding --data wav'}\n"
        "try: main()\nexcept SystemExit as stopped: assert stopped.code == 0\n"
        "print(sorted({'keras', 'tensorflow', 'jax', 'torch', 'rich'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-P", "-c", source], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines() == ["plain,waves", "plain,waveforms", *(f"plain,waves:{n}" for n in range(3)), "[]"]


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_printed(shell):
    assert "_TRIVIUM_COMPLETE" in script(shell)
    document = json.loads(CliRunner().invoke(cli, ["completion", shell, "--json"]).output)
    assert document == {"schema": 1, "shell": shell, "script": script(shell).removesuffix("\n")}


@pytest.mark.parametrize("shell", INSTALLED)
@pytest.mark.parametrize(
    ("line", "whole"),
    [
        ("trivium train cnn/striding-", "trivium train cnn/striding-batchnorm"),
        ("trivium data mnist:s", "trivium data mnist:sample"),
    ],
)
def test_a_real_shell_completes(shell, line, whole, tmp_path):
    assert completed(shell, script(shell), line, tmp_path) == whole
