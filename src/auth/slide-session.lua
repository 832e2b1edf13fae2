#!lua flags=allow-oom
-- Moves the end of a session on, if it is still there.
-- KEYS[1] ses:{b}:A
-- ARGV[1] hash · [2] now, ms · [3] how long a session lasts, ms
local device, created, used, expires = string.match(redis.call('HGET', KEYS[1], ARGV[1]) or '', '^(%S+) (%d+) (%d+) (%d+)$')
local now = tonumber(ARGV[2])
if device == nil or tonumber(expires) <= now or tonumber(used) >= now then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], device .. ' ' .. created .. ' ' .. ARGV[2] .. ' ' .. string.format('%d', now + ARGV[3]))
redis.call('PEXPIRE', KEYS[1], tonumber(ARGV[3]) + 3600000)
return 1
