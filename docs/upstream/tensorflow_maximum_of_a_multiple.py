"""The larger of x and three times x in a TensorFlow function, against NumPy; exits with 0 while it is another value."""

import sys

import numpy as np
import tensorflow as tf


@tf.function
def larger(x):
    return tf.identity(tf.maximum(x * 3.0, x))


x = np.array([-1.0, 1.0], "float32")
expected, output = np.maximum(x * 3.0, x), larger(tf.constant(x)).numpy()

print(f"TensorFlow {tf.__version__}: {output}, expected {expected}")
sys.exit(0 if (output != expected).any() else 1)
