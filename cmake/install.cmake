# Filled by the install rules of the rooms; see docs/building.md.
