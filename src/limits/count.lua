#!lua
-- Counts attempts in a window that begins with the first one.
-- KEYS[1] lim:<limit>:<key>
-- ARGV[1] points to take; 0: only look · [2] window, ms
-- -> {taken in this window, ms until it ends}
local taken = tonumber(redis.call('GET', KEYS[1]) or 0)
if ARGV[1] == '0' then return { taken, math.max(0, redis.call('PTTL', KEYS[1])) } end
taken = redis.call('INCRBY', KEYS[1], ARGV[1])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  left = tonumber(ARGV[2])
end
return { taken, left }
