-- Remembers that the mailbox's owner has read a message.
-- ARGV[3] sender · [4] messageId
-- -> {'marked', sequence, 1 if its sender was told that a device had acknowledged it, field of the receipts owed} · {'repeat'} · {'unknown'}
local digest = digestOf(ARGV[3], ARGV[4])
local known = redis.call('HMGET', ST, 's', digest, 'b')
if not known[2] then return { 'unknown' } end
local ghosts = known[3] and openGhosts()
if ghosts and ghosts.isBlocked(ARGV[3]) then return { 'unknown' } end
loadState(known[1])
local id, flags = string.match(known[2], '^(%S+) %S+ ?(%a*)$')
if string.find(flags, 'x', 1, true) then return { 'unknown' } end
if string.find(flags, 'r', 1, true) then return { 'repeat' } end
local _, sequence = idParts(id)
local wasAcknowledged = sequence <= S[FURTHEST]
if not wasAcknowledged then addRange('q', HAS_EARLY, sequence, sequence) end
-- It was taken while its sender was blocked, who was not told so.
if wasAcknowledged and string.find(flags, 'g', 1, true) then
  wasAcknowledged = false
  if ghosts then ghosts.cancel(digest) end
end
saveState(digest, known[2] .. 'r')
local owed = 'r' .. address .. sequence
owe(owed, OWED_TO_CALLER_MS, 'read', '', '[' .. cjson.encode({ sequence, ARGV[3], ARGV[4] }) .. ']')
return { 'marked', sequence, wasAcknowledged and 1 or 0, owed }
