"""Loading a state: parameters matched, groups merged, entries checked, nothing changed before."""
