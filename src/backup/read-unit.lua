-- Reads keys that belong together, at one instant; of the log, if there is one, a slice at a time. Changes nothing.
-- KEYS all keys · ARGV[1] which of them is the log, 0: none · [2] which its state · [3] where the slice begins: '-' or '(<id>'
-- ARGV[4] most entries · [5] bytes after which it ends
-- -> {fence, messages that wait, where the next slice begins or '', the slice, {type, until or -1, value} of each key}
-- The last is empty while there is more to read. Slices belong together where the fence is the same.
local log, state = tonumber(ARGV[1]), tonumber(ARGV[2])
local fence, waiting, slice, start = '', 0, {}, ARGV[3]
if log > 0 then
  local known = redis.call('HMGET', KEYS[state], 's', 'v')
  fence = redis.sha1hex((known[1] or '') .. (known[2] or '') .. redis.call('XLEN', KEYS[log]))
  local isRead, unpacked = pcall(cmsgpack.unpack, known[1] or '')
  if isRead and type(unpacked) == 'table' then waiting = tonumber(unpacked[PENDING]) or 0 end
  local bytes, most = 0, tonumber(ARGV[4])
  while start ~= '' do
    local some = redis.call('XRANGE', KEYS[log], start, '+', 'COUNT', 16)
    for _, entry in ipairs(some) do
      slice[#slice + 1] = entry
      for _, field in ipairs(entry[2]) do bytes = bytes + #field end
    end
    start = #some == 16 and '(' .. some[16][1] or ''
    if #slice >= most or bytes >= tonumber(ARGV[5]) then break end
  end
  if start ~= '' then return { fence, waiting, start, slice, {} } end
end
local READ = {
  string = function(key) return { redis.call('GET', key) } end,
  hash = function(key) return redis.call('HGETALL', key) end,
  zset = function(key) return redis.call('ZRANGE', key, 0, -1, 'WITHSCORES') end,
  set = function(key) return redis.call('SMEMBERS', key) end,
  list = function(key) return redis.call('LRANGE', key, 0, -1) end,
}
local keys = {}
for i, key in ipairs(KEYS) do
  local kind = redis.call('TYPE', key).ok
  local value = {}
  if kind == 'stream' and i == log then
    value = { tostring(redis.call('XLEN', key)) }
  elseif READ[kind] then
    value = READ[kind](key)
  end
  keys[i] = { kind, redis.call('PEXPIRETIME', key), value }
end
return { fence, waiting, '', slice, keys }
