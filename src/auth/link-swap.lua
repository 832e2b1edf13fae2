#!lua flags=allow-oom
-- Replaces or ends a link if it still is what the caller saw: of several who saw the same, one wins.
-- KEYS[1] lnk:<hash>
-- ARGV[1] as it was seen · [2] as it is to be, '' to end it · [3] how long it then lasts, ms
-- -> 1: done · 0: it is another by now
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] == '' then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
end
return 1
