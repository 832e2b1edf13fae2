#!lua
-- Counts attempts in a window that begins with the first one.
-- KEYS[1] lim:<limit>:<key>
-- ARGV[1] points to take; 0: only look; below 0: to give back, at most what was taken · [2] window, ms
-- -> {taken in this window, ms until it ends}
local taken = tonumber(redis.call('GET', KEYS[1]) or 0)
local left = redis.call('PTTL', KEYS[1])
local points = math.max(tonumber(ARGV[1]), -taken)
if points == 0 then return { taken, math.max(0, left) } end
taken = redis.call('INCRBY', KEYS[1], points)
if left < 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  left = tonumber(ARGV[2])
end
return { taken, left }
