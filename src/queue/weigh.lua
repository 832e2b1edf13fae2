-- KEYS[1…] st of mailboxes of one bucket
-- -> for each: messages that wait, their bytes, when the mailbox took the oldest of them, ms; 0 0 0 where none does, and
--    where the state cannot be read
local reply = {}
for i, key in ipairs(KEYS) do
  local isRead, S = pcall(cmsgpack.unpack, redis.call('HGET', key, 's') or '\144')
  local messages, bytes, at = 0, 0, 0
  if isRead and type(S) == 'table' and #S >= STATE_LEAST and type(S[PENDING]) == 'number' and S[PENDING] > 0 then
    messages, bytes, at = S[PENDING], S[PENDING_BYTES], S[LAST_MS]
    local log = string.gsub(key, 'st:{', 'mb:{', 1)
    -- One by one, since each comes with its content. Receipts may stand before the first message: beyond so many of them, the
    -- time of one is as good.
    local after = string.format('%.0f-%.0f', S[FURTHEST_MS], S[FURTHEST])
    for _ = 1, 20 do
      local entry = redis.call('XRANGE', log, '(' .. after, '+', 'COUNT', 1)[1]
      if not entry then break end
      after, at = entry[1], tonumber(string.match(entry[1], '^%d+'))
      if string.match(entry[2][2] or '', '^[mj]%d') then break end
    end
  end
  reply[i * 3 - 2], reply[i * 3 - 1], reply[i * 3] = messages, bytes, at
end
return reply
