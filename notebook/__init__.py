"""What a notebook shows: values as HTML, and the progress of a function in one output that is updated in place."""
