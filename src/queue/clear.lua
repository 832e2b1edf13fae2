-- Drops everything, on the owner's word. -> how many pending messages that were
local packed = redis.call('HGET', ST, 's')
if not packed then return 0 end
loadState(packed)
expireDue()
local count = S[PENDING]
for _, entry in ipairs(redis.call('XRANGE', MB, '(' .. S[FURTHEST_MS] .. '-' .. S[FURTHEST], '+')) do
  local kind, _, _, _, _, peer, messageId = header(entry)
  if kind and isMessage(kind) then markLost(peer, messageId) end
end
if S[LAST] > S[FURTHEST] then addRange('z', HAS_LOST, S[FURTHEST] + 1, S[LAST]) end
S[DROPPED] = S[LAST]
if count > 0 then redis.call('HINCRBY', TOT, 'd', count) end
setPending(0, 0)
forgetShares()
emptyLog()
if redis.call('HEXISTS', ST, 'b') == 1 then openGhosts().dropAll() end
saveState()
return count
