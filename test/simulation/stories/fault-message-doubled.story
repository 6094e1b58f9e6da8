# Message doubled: a replica that answers twice counts once.
# Only A takes 1, and says so twice.
nodes A B C
W 1
breaks doubled-answers-count -> not-linearizable

drop accept A > BC
double accepted A > A
put: A puts 1
wait for accepted A > A
cut A
wait 20 ms
B reads                     -> nothing
heal
double all all > all
put -> applied, was nothing
B puts 2 if 1               -> applied, was 1
wait 10 ms
all hold 2
