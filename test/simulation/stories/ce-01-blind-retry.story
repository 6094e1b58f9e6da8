# Counterexample 1: an attempt that was refused is never sent again without reading first.
# 1 is on A alone. B's read completes it and C replaces it before A hears of either; A must not put 1 a second time.
nodes A B C
breaks no-lineage -> not-linearizable

drop accept A > BC
put: A puts 1
wait for accepted A > A
cut B C
B reads                     -> 1
heal
cut A
C puts 2                    -> applied, was 1
heal
put -> applied, was nothing
A reads                     -> 2
all hold 2
