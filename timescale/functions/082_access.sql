-- Who is logged in; neither secrets nor addresses.
CREATE VIEW analytics.sessions AS
SELECT s.session_id, s.login, u.role::text AS role,
  CASE WHEN s.revoked_at IS NOT NULL OR u.is_disabled THEN 'ended' WHEN s.expires_at <= now() THEN 'expired' ELSE 'live' END AS state,
  s.created_at, s.last_used_at, s.expires_at, s.revoked_at AS ended_at
FROM control.sessions s JOIN control.users u USING (login);
COMMENT ON VIEW analytics.sessions IS 'Logins of people: each from the login to the logout, or until it expires.';
COMMENT ON COLUMN analytics.sessions.session_id IS 'Identity of the session; it opens nothing.';
COMMENT ON COLUMN analytics.sessions.login IS 'Name of the user.';
COMMENT ON COLUMN analytics.sessions.role IS 'What the user may do now: viewer, operator or admin.';
COMMENT ON COLUMN analytics.sessions.state IS 'live, expired, or ended by a logout, by an admin or by a new password.';
COMMENT ON COLUMN analytics.sessions.created_at IS 'When the user logged in.';
COMMENT ON COLUMN analytics.sessions.last_used_at IS 'When the session was renewed last, at least every 15 minutes while it is used.';
COMMENT ON COLUMN analytics.sessions.expires_at IS 'When it ends unless it is ended before.';
COMMENT ON COLUMN analytics.sessions.ended_at IS 'When it was ended; NULL while it was not.';
