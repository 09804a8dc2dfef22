"""How good and how costly is a candidate?"""
