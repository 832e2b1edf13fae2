#!lua flags=allow-oom
-- KEYS[1] rev
-- ARGV[1] how long it is kept, ms · [2] at most so many · [3…] address, device, id; address, device, id; …
for i = 3, #ARGV, 3 do
  redis.call('XADD', KEYS[1], 'MAXLEN', ARGV[2], '*', 'a', ARGV[i], 'd', ARGV[i + 1], 'i', ARGV[i + 2])
end
local last = redis.call('XINFO', 'STREAM', KEYS[1])
for i = 1, #last, 2 do
  if last[i] == 'last-generated-id' then
    -- By the stream's own time, which never goes back.
    local oldest = tonumber(string.match(last[i + 1], '^%d+')) - ARGV[1]
    redis.call('XTRIM', KEYS[1], 'MINID', string.format('%d', oldest))
  end
end
