"""The only rooms that know Slicer: scene nodes, processes of jobs, missing packages. No torch, no Qt."""
