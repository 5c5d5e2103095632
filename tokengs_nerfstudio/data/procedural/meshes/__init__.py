"""Random scenes of textured meshes: yards, rooms, tables, facades and ground from above, traced with exact depth."""
