"""Where a trained model goes: serving formats and native source, each run as its users run it before it is kept."""
