-- Keeps a link where there is none of its token that still lasts.
-- ARGV[1] hash of the token · [2] the link · [3] now, ms · [4] how long it lasts, ms · [5] how many may wait
-- -> 1: kept · 0: there is one
local kept = redis.call('HGET', KEYS[1], ARGV[1])
if kept and (tonumber(string.match(kept, '^(%d+) ') or '') or 0) > tonumber(ARGV[3]) then return 0 end
redis.call('ZREM', KEYS[3], ARGV[1])
keep(KEYS[2], ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5])
return 1
