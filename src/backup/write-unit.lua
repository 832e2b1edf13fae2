-- Writes keys that belong together, in one step, and counts what they hold. What exists stays as it is.
-- KEYS[1] tot · [2] exp · [3] keys · [4] staged log, and of an address [5] st · [6] blk · [7] own · [8] blv; then the keys
-- ARGV[1] address, '' without · [2…] group (mailbox, key, ses or ''), type, until or '', entries of a stream, number of values, these, of each
-- -> {keys written, keys that were there, messages that wait in what was written}
local TOT, EXP, COUNT, STAGED, address = KEYS[1], KEYS[2], KEYS[3], KEYS[4], ARGV[1]
local ST, BLK, OWN, BLV = KEYS[5], KEYS[6], KEYS[7], KEYS[8]
local FIRST = address == '' and 5 or 9
local SLICE = 1000
local function fill(command, key, values)
  for i = 1, #values, SLICE do redis.call(command, key, unpack(values, i, math.min(i + SLICE - 1, #values))) end
end
local WRITE = {
  string = function(key, values) redis.call('SET', key, values[1]) end,
  hash = function(key, values) fill('HSET', key, values) end,
  set = function(key, values) fill('SADD', key, values) end,
  list = function(key, values) fill('RPUSH', key, values) end,
  zset = function(key, values)
    for i = 1, #values, 2 do redis.call('ZADD', key, values[i + 1], values[i]) end
  end,
}

local units, i = {}, 2
for k = FIRST, #KEYS do
  local one = { key = KEYS[k], group = ARGV[i], kind = ARGV[i + 1], until_ = ARGV[i + 2], entries = tonumber(ARGV[i + 3]), values = {} }
  local n = tonumber(ARGV[i + 4])
  for v = 1, n do one.values[v] = ARGV[i + 4 + v] end
  i = i + 5 + n
  units[#units + 1] = one
end

local hasMailbox = false
-- Who signed in here may have been signed out since the backup: no session of it comes back.
local hasSignedIn = address ~= '' and redis.call('EXISTS', OWN) == 1
local bringsBlocks = false
for _, one in ipairs(units) do
  if one.group == 'mailbox' and redis.call('EXISTS', one.key) == 1 then hasMailbox = true end
  -- Before anything is written.
  if one.kind == 'stream' and not hasMailbox and redis.call('XLEN', STAGED) ~= one.entries then
    return redis.error_reply('ERR the entries that precede a mailbox are not there')
  end
end

local written, there, waiting = 0, 0, 0
for _, one in ipairs(units) do
  local exists = hasMailbox
  if one.group ~= 'mailbox' then exists = redis.call('EXISTS', one.key) == 1 end
  if one.group == 'ses' and hasSignedIn then exists = true end
  if exists then
    there = there + 1
  else
    if one.kind == 'stream' then redis.call('RENAME', STAGED, one.key) else WRITE[one.kind](one.key, one.values) end
    if one.until_ ~= '' then redis.call('PEXPIREAT', one.key, one.until_) end
    written = written + 1
    if address ~= '' and one.key == BLK then bringsBlocks = true end
    if one.group == 'key' and redis.call('HEXISTS', one.key, 'publicKey') == 1 then redis.call('INCR', COUNT) end
    local due = one.group == 'mailbox' and one.kind == 'hash' and redis.call('HGET', one.key, 'due')
    if due then redis.call('ZADD', string.gsub(EXP, 'exp:{', 'ghx:{', 1), due, address) end
    local packed = one.group == 'mailbox' and one.kind == 'hash' and redis.call('HGET', one.key, 's')
    local isRead, S = pcall(cmsgpack.unpack, packed or '')
    if packed and isRead and type(S) == 'table' then
      waiting = S[PENDING]
      if waiting > 0 then
        redis.call('HINCRBY', TOT, 'a', waiting)
        redis.call('HINCRBY', TOT, 'b', 1)
      end
      if S[DUE] > 0 then redis.call('ZADD', EXP, S[DUE], address) end
    end
  end
end
redis.call('UNLINK', STAGED)
-- State and block list may be of different origin: a send looks only at b, and nodes read a list again when blv changes.
if written > 0 and address ~= '' and redis.call('EXISTS', ST) == 1 and redis.call('EXISTS', BLK) == 1 then
  redis.call('HSET', ST, 'b', 1)
end
if bringsBlocks then redis.call('INCR', BLV) end
return { written, there, waiting }
