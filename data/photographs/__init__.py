"""What a photograph of handwriting shows beside the ink: the table, the lighting, and the lines of the paper."""
