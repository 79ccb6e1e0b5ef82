"""Pictures as data: files, folders of classes, tables of paths, and pictures with masks."""
