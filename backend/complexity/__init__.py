"""How hard features are to compute: how early in a network a linear probe can read each.

Source: Fel, Bethune, Lampinen, Serre, Hermann 2024.
"""
