-- Stores receipts. They count against a bound of their own, and the oldest give way.
-- ARGV[3] expires ms · [4] most receipts · [5] 1 or 0, whether this node listens to the mailbox, and the node
-- ARGV[6…] kind (d, r, x), peer, timestamp, messageId of each
-- -> the id of each, '' for a `delivered` that is no news: its `read` went before it, by another node
loadState(redis.call('HGET', ST, 's'))
expireDue()
local ids, others = {}, listenersElsewhere(ARGV[5])
S[LAST_MS] = math.max(S[LAST_MS], now)
-- sorted set: digests of messages whose `read` was stored, by when; kept for longer than a `delivered` can be late
local READ, READ_KEPT_MS = string.gsub(MB, 'mb:{', 'rd:{', 1), 120000
local function isNews(kind, peer, messageId)
  if kind == 'x' then return true end
  local digest = digestOf(peer, messageId)
  if kind == 'd' then return not redis.call('ZSCORE', READ, digest) end
  redis.call('ZADD', READ, now, digest)
  redis.call('ZREMRANGEBYSCORE', READ, '-inf', now - READ_KEPT_MS)
  redis.call('PEXPIRE', READ, READ_KEPT_MS)
  return true
end

local function append(i)
  S[LAST] = S[LAST] + 1
  local value = ARGV[i] .. S[MESSAGES] .. ' ' .. S[BYTES] .. ' 0 ' .. ARGV[3] .. ' ' .. ARGV[i + 2] .. ' ' .. ARGV[i + 1]
    .. ' ' .. ARGV[i + 3] .. '\n'
  local id = addEntry(value)
  if others > 0 then redis.call('SPUBLISH', MB, string.sub(ARGV[5], 2) .. 'e' .. id .. ' ' .. value) end
  return id
end

local stored = 0
for i = 6, #ARGV, 4 do
  if isNews(ARGV[i], ARGV[i + 1], ARGV[i + 3]) then
    ids[#ids + 1] = append(i)
    stored = stored + 1
  else
    ids[#ids + 1] = ''
  end
end
if stored == 0 then return ids end
local expires = tonumber(ARGV[3])
if expires < S[LATEST_DUE] then S[IS_MIXED] = 1 else S[LATEST_DUE] = expires end
if S[DUE] == 0 or expires < S[DUE] then setDue(expires) end

local most = tonumber(ARGV[4])
if redis.call('XLEN', MB) - inLog() > most then
  local receipts = {}
  for _, entry in ipairs(redis.call('XRANGE', MB, '-', '+')) do
    local kind = header(entry)
    if not kind or not isMessage(kind) then receipts[#receipts + 1] = entry[1] end
  end
  -- A quarter at once, so that a mailbox at its bound does not pay for this with every receipt.
  local surplus = #receipts - math.floor(most * 0.75)
  if surplus > 0 then
    delete({ unpack(receipts, 1, surplus) })
    local _, sequence = idParts(receipts[surplus])
    S[DROPPED] = math.max(S[DROPPED], sequence)
    frontMoved(0, 0)
  end
end
saveState()
return ids
