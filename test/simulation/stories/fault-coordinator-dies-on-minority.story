# Coordinator dies with an accept on a minority: whoever meets it takes it over or replaces it, once.
nodes A B C

drop accept A > AC
put: A puts 1
wait for accepted B > A
kill A
put -> no answer
B has accepted 1
C holds nothing
C reads                     -> 1
C puts 2                    -> applied, was 1
start A
A reads                     -> 2
wait 10 ms
all hold 2
