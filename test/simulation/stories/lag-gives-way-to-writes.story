# A rule of lag makes no write fail: a replica that is needed for W, or coordinates, takes what it holds back.
nodes A B C
background on

A puts 1                    -> applied
wait 10 ms
lag without end
A puts 2                    -> applied, was 1
wait 5 ms
C holds 1
C puts 3                    -> applied, was 2
C holds 3
A puts 4                    -> applied, was 3
C holds 3
kill B
wait 300 ms
A puts 5                    -> applied, was 4
C holds 5
C holds back 0
start B
wait 300 ms
cut A B
A puts 6                    -> applied, was 5
AC hold 6
