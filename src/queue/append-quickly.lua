-- Stores the messages of one mailbox as long as nothing is unusual: not known yet, nobody blocked, nothing due, less than half
-- full (or than what strangers may send), no device far behind. Nearly every message is one of those, and for them what mailbox.lua sets up would be most of the cost; several of
-- one mailbox share the reading and writing of its state. Whatever it does not store is left as it was for append.lua.
-- The first of `count` messages is at `at` in ARGV (append-many.lua) -> how many, ms of their ids, number of the last, other nodes
-- that listen
local now, node = tonumber(ARGV[1]), ARGV[2]

local function quickly(mb, st, tot, exp, address, listens, expires, at, count)
  local digests = {}
  for i = 1, count do digests[i] = ARGV[at + i * 3 - 3] end
  local known = redis.call('HMGET', st, 's', 'b', unpack(digests))
  if known[2] then return 0 end
  local isRead, S = true, nil
  if known[1] then
    isRead, S = pcall(cmsgpack.unpack, known[1])
    if not isRead or type(S) ~= 'table' or #S < STATE_SIZE then return 0 end
  elseif redis.call('EXISTS', mb, (string.gsub(mb, 'mb:{', 'blk:{', 1))) == 0 then
    S = {}
    for i = 1, STATE_SIZE do S[i] = 0 end
  else
    return 0
  end
  local due, latest = S[DUE], S[LATEST_DUE]
  if S[HAS_SHARES] ~= 0 or due ~= 0 and now >= due then return 0 end

  local last, ms, dueAt = S[LAST], S[LAST_MS] > now and S[LAST_MS] or now, tonumber(expires)
  if dueAt < latest then return 0 end
  local messages, total, pending, pendingBytes = S[MESSAGES], S[BYTES], S[PENDING], S[PENDING_BYTES]
  local mostMessages, mostBytes = S[MESSAGES_AT_TRIM] + MAX_MESSAGES, S[BYTES_AT_TRIM] + MAX_BYTES
  -- Numbers by `%d`: without it Lua writes them as fractions, in a third of a microsecond.
  local ids = string.format('%d-', ms)
  local values, records, seen, stored, place = {}, {}, {}, 0, at
  while stored < count do
    local digest, print, rest = digests[stored + 1], ARGV[place + 1], ARGV[place + 2]
    local bytes = #rest - string.find(rest, '\n', 1, true)
    messages, total, pending, pendingBytes = messages + 1, total + bytes, pending + 1, pendingBytes + bytes
    if
      known[stored + 3]
      or seen[digest]
      or pending > QUICK_MESSAGES
      or pendingBytes > QUICK_BYTES
      or messages > mostMessages
      or total > mostBytes
      or messages % 512 == 0
    then
      break
    end
    local id = string.format('%s%d', ids, last + 1)
    local value = string.format('%.1s%d %d ', print, messages, total) .. rest
    if redis.pcall('XADD', mb, id, 'e', value).err then break end
    last, stored, place = last + 1, stored + 1, place + 3
    S[MESSAGES], S[BYTES], S[PENDING], S[PENDING_BYTES] = messages, total, pending, pendingBytes
    seen[digest] = true
    records[stored * 2 - 1], records[stored * 2] = digest, id .. ' ' .. print .. ' '
    values[stored] = value
  end
  if stored == 0 then return 0 end

  S[LAST], S[LAST_MS], S[LATEST_DUE] = last, ms, dueAt
  if S[PENDING] == stored then redis.call('HINCRBY', tot, 'b', 1) end
  if due == 0 then
    S[DUE] = dueAt
    if S[HAS_TTL] == 1 then redis.call('PERSIST', st) end
    S[HAS_TTL] = 0
    redis.call('ZADD', exp, S[DUE], address)
  end
  redis.call('HINCRBY', tot, 'a', stored)
  redis.call('HSET', st, 's', cmsgpack.pack(S), unpack(records))
  local others = redis.call('PUBSUB', 'SHARDNUMSUB', mb)[2] - listens
  if others > 0 then
    for i = 1, stored do redis.call('SPUBLISH', mb, node .. 'e' .. ids .. last - stored + i .. ' ' .. values[i]) end
  end
  return stored, ms, last, others
end
