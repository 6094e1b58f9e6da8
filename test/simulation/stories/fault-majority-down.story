# Majority down, strict: nothing is proposed, so it did not happen; or it was, and a node that reaches more may tell.
nodes A B C

A puts 1                    -> applied
kill BC
A puts 2                    -> unavailable
A reads                     -> unavailable
A reads eventually          -> 1
start BC
A puts 3 if 1               -> applied, was 1
drop accept A > BC
put: A puts 4
wait for accept A > B
kill BC
put -> handed back
start BC
heal
A reads                     -> 4
