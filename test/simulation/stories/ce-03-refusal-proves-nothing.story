# Counterexample 3: "refused, so my attempt is dead" is wrong: what refused it may contain it.
# B finds C's 1 and replaces it, and tells the old value. C, refused by A and B, must not put 1 a second time.
nodes A B C
breaks no-lineage -> not-linearizable

drop accept C > AB
put: C puts 1
wait for accepted C > C
cut A B
B puts 2                    -> applied, was 1
heal
put -> applied, was nothing
A reads                     -> 2
B puts 3 if 2               -> applied, was 2
