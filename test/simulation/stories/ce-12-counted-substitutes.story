# Counterexample 12, counted substitutes: in strict mode a node that stands in for another has no vote.
# With D's vote A could choose 1, and the two others, when they are back, would not know.
nodes A B C
spares D
W 1
breaks substitutes-vote -> not-linearizable

kill BC
put: A puts 1
wait 50 ms
D holds nothing
cut A
start BC
B puts 2 if absent          -> applied, was nothing
put -> unavailable
heal
A reads                     -> 2
