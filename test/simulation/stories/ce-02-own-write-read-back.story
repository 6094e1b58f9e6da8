# Counterexample 2: a retry that finds its own value in the register must not take it for somebody else's.
# A's put is chosen by A and B, but A does not hear that. When it tries again, "absent" is no longer true.
nodes A B C
breaks no-lineage -> not-linearizable

drop accept A > C
hold accepted B > A
put: A puts 1 if absent
wait for accepted B > A
B puts 2 if 9               -> condition failed, is 1
release accept A > C
put -> applied, was nothing
C reads                     -> 1
heal
all hold 1
