"""The names of the methods, which the tools of all formats share.

`int8` computes with 8-bit weights and with 8-bit activations whose ranges are measured on samples. `int8-dynamic` has
8-bit weights; the runtime decides how it computes with them. `float16` has weights in half precision.
"""

from __future__ import annotations

INT8, INT8_DYNAMIC, FLOAT16 = "int8", "int8-dynamic", "float16"
METHODS = (INT8, INT8_DYNAMIC, FLOAT16)
