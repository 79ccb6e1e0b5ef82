"""What is left of a TensorFlow function that has called a compiled one; exits with 0 while it is over 100,000 bytes."""

import gc
import os
import sys

import tensorflow as tf
from tensorflow.python.eager import context

CALLS = 100


@tf.function(jit_compile=True)
def compiled(x):
    for _ in range(40):
        x = tf.sin(x) + tf.cos(x)
    return x


def resident():
    gc.collect()
    context.context().clear_kernel_cache()
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def call_by_a_new_function():
    tf.function(lambda x: compiled(x))(tf.ones(8))


for _ in range(20):
    call_by_a_new_function()
before = resident()
for _ in range(CALLS):
    call_by_a_new_function()
kept = (resident() - before) / CALLS

print(f"TensorFlow {tf.__version__}: {kept:,.0f} bytes kept of each function that is gone")
sys.exit(0 if kept > 100_000 else 1)
