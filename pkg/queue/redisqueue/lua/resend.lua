-- resend: put changes into the stream again, for one handler alone.
--
-- KEYS[1] incidents  HASH    incident id -> incident
-- KEYS[2] dead       STREAM  entries {event, handler, reason, attempts, at, entry}
-- KEYS[3] changes    STREAM  entries {event}, {event, for}
-- ARGV[1] handler
-- ARGV[2] keep       changes kept, about
-- ARGV[3...] incident id, incident, letter, event: four a change. incident is the text that
-- the caller read, empty for none; letter the id of the dead letter that goes, or empty
-- Returns a code for each: 0 done, 1 the letter is gone, 2 the incident has changed.

local incidents, dead, changes = KEYS[1], KEYS[2], KEYS[3]
local wrong = wrong_type(incidents, 'hash', dead, 'stream', changes, 'stream')
if wrong then return wrong end

local function resend(id, incident, letter, event)
  if (redis.call('HGET', incidents, id) or '') ~= incident then return 2 end
  if letter ~= '' and redis.call('XDEL', dead, letter) == 0 then return 1 end
  redis.call('XADD', changes, 'MAXLEN', '~', ARGV[2], '*', 'event', event, 'for', ARGV[1])
  return 0
end

removing(incidents)
local reply = {}
for i = 3, #ARGV, 4 do reply[#reply + 1] = resend(ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]) end
return reply
