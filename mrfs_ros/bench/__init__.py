"""How fast, how large and how right the engines are on this machine, each measured against the paper's graph."""
