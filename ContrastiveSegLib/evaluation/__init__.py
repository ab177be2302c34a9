"""How well two labelings agree: Dice, distances in mm and volumes, per case, structure and patient."""
