# Counterexample 15: between the confirmation of a tombstone and its purge lies the life of a message: a replica that was
# behind may have sent what is deleted.
# E was away all the while, C when 1 was deleted. C offers 1 to E; then both hear of the tombstone, by its purge.
nodes A B C D E
read-repair off
limit hintsKept 0
breaks purged-on-confirmation -> not-linearizable

cut E
A puts 1                    -> applied
wait 10 ms
cut C
A deletes                   -> applied, was 1
wait 3000 ms
heal
C reads                     -> nothing
E reads                     -> nothing
drop merkle-hashes C > ABD
hold learn C > E
repair: C repairs
wait for learn C > E
purge: A purges
wait 30 ms
CE hold tombstone
release learn C > E
purge                       -> 1 purged, 0 waiting
repair                      -> done
all hold nothing
E reads                     -> nothing
