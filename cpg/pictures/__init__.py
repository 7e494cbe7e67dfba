"""Pictures of graphs: what is drawn (`scene`), where (`flow_layout`, `tree_layout`), and how (`svg`, `page`).

The layouts are plain Python without random choices: the same graph gives the same picture everywhere.
"""
