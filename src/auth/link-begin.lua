#!lua
-- Keeps a link where there is none that still lasts.
-- KEYS[1] lnk:<hash>
-- ARGV[1] the link, led by the ms when it ends · [2] now, ms · [3] how long it lasts, ms
-- -> 1: kept · 0: there is one
local kept = redis.call('GET', KEYS[1])
if kept and (tonumber(string.match(kept, '^(%d+) ') or '') or 0) > tonumber(ARGV[2]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
return 1
