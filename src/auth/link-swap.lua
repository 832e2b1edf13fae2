-- Proves or ends a link if it still is what the caller saw: of several who saw the same, one wins.
-- ARGV[1] hash of the token · [2] as it was seen, '' for whatever it is · [3] as it is to be, proven; '' to end it
-- ARGV[4] now, ms · [5] how long it then lasts, ms · [6] how many may be proven
-- -> 1: done · 0: it is another by now
if ARGV[2] ~= '' and redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('HDEL', KEYS[1], ARGV[1])
if ARGV[3] ~= '' then keep(KEYS[3], ARGV[1], ARGV[3], ARGV[4], ARGV[5], ARGV[6]) end
return 1
