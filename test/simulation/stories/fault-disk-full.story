# protocol.md section 2.5: what cannot be written is not acknowledged. One disk that refuses is a minority, two are too many.
# Then the outcome is unknown: A has taken 3, so the next to look completes it.
nodes A B C

A puts 1                    -> applied
fill disk B
A puts 2                    -> applied, was 1
wait 10 ms
fill disk BC
A puts 3                    -> storage failed
A has accepted 3
A reads                     -> 3
wait 10 ms
all hold 3
