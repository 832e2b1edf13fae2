-- What a node compares with what it was told of a mailbox.
-- KEYS[1] st · [2] mb · ARGV[1] 1 or 0, whether this node listens to the mailbox
-- -> {last, its ms, how many other nodes hold the address, devices, device, claim, … of those that were claimed} · 'damaged'
local others = redis.call('PUBSUB', 'SHARDNUMSUB', KEYS[2])[2] - string.sub(ARGV[1], 1, 1)
local known = redis.call('HMGET', KEYS[1], 's', 'v')
if not known[1] then return { 0, 0, others, 0 } end
local isRead, S = pcall(cmsgpack.unpack, known[1])
if not isRead or type(S) ~= 'table' or #S < STATE_LEAST then return 'damaged' end
local areRead, devices = true, {}
if known[2] then areRead, devices = pcall(cmsgpack.unpack, known[2]) end
local answer = { S[LAST], S[LAST_MS], others, 0 }
if not areRead or type(devices) ~= 'table' then return answer end
answer[4] = #devices
for _, device in ipairs(devices) do
  if type(device) == 'table' and (tonumber(device[5]) or 0) > 0 then
    answer[#answer + 1] = device[1]
    answer[#answer + 1] = device[5]
  end
end
return answer
