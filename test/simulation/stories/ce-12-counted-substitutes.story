# Counterexample 12, counted substitutes: in strict mode a node that stands in for another has no vote.
# A reaches only D, which is not at home. Broken: A takes itself for enough, as with D it would.
nodes A B C
spares D
W 1
breaks one-is-a-majority -> not-linearizable

cut A BC
put: A puts 1
wait 50 ms
C puts 2 if absent          -> applied, was nothing
put -> unavailable
A reads                     -> unavailable
heal
A reads                     -> 2
D holds nothing
