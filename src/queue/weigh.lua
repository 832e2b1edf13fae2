-- KEYS[1…] st of mailboxes of one bucket
-- -> for each: messages that wait, their bytes, when the mailbox took the oldest of them, ms; 0 0 0 where none does, and
--    where the state cannot be read
local reply = {}
for i, key in ipairs(KEYS) do
  local isRead, S = pcall(cmsgpack.unpack, redis.call('HGET', key, 's') or '\144')
  local messages, bytes, at = 0, 0, 0
  if isRead and type(S) == 'table' and #S == STATE_SIZE and S[PENDING] > 0 then
    messages, bytes, at = S[PENDING], S[PENDING_BYTES], S[LAST_MS]
    local log = string.gsub(key, 'st:{', 'mb:{', 1)
    -- Receipts may stand between the messages: beyond so many of them, the time of one is as good.
    local waiting = redis.call('XRANGE', log, '(' .. string.format('%.0f-%.0f', S[FURTHEST_MS], S[FURTHEST]), '+', 'COUNT', 20)
    for _, entry in ipairs(waiting) do
      at = tonumber(string.match(entry[1], '^%d+'))
      if string.match(entry[2][2] or '', '^[mj]%d') then break end
    end
  end
  reply[i * 3 - 2], reply[i * 3 - 1], reply[i * 3] = messages, bytes, at
end
return reply
