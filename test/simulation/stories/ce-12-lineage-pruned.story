# Counterexample 12, lineage pruned: an operation is remembered for as long as it may look for itself.
# A's 1 has been read and replaced by others, who keep A's id for A.
nodes A B C
breaks lineage-cut-short -> not-linearizable

drop accept A > BC
put: A puts 1
wait for accepted A > A
cut B C
B puts 2                    -> applied, was 1
heal
cut A
C puts 3 if 2               -> applied, was 2
heal
put -> applied, was nothing
B reads                     -> 3
