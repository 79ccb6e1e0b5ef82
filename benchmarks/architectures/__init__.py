"""Port real architectures to every target, and networks of PyTorch back to Keras: what works, and what is refused.

`python -m trivium.benchmarks.architectures --out FOLDER` measures, and `page.py` writes docs/architectures.md from it.
"""
