# Nothing that a ring does by itself shows what a rule of lag holds back: not hints, repair, the finisher, or a restart.
nodes A B C
background on

A puts 1                    -> applied
wait 10 ms
drop learn all > C
A puts 2                    -> applied, was 1
wait 80 ms
A keeps 1 hint
lag without end
heal
wait 1000 ms
A repairs                   -> done
C repairs                   -> done
C reads its own             -> 1
C has accepted 2
C holds back 1
roots differ
B reads                     -> 2
C reads                     -> 2
kill C
start C
wait 1000 ms
C reads its own             -> 1
A puts 3                    -> applied, was 2
C reads its own             -> 1
lag ends
wait 1000 ms
C reads its own             -> 3
A keeps 0 hints
all hold 3
roots agree
