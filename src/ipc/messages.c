/* ipc/messages.c: the table of messages. A room that gets one that the table does not allow closes
 * the channel. */
#include "ipc/messages.h"

enum {
    NAME_MAX_OCTETS = 1024,  /* a host, path, user or address with room to spare */
    TEXT_MAX_OCTETS = 2048,  /* a reply for people */
    BLOB_MAX_OCTETS = 16384, /* SASL data, signatures */
    CHAIN_MAX_OCTETS = 256 << 10,
    CONF_MAX_OCTETS = 4 << 20,
    HEADER_MAX_OCTETS = 512 << 10,
    BODY_MAX_OCTETS = 1 << 20,
    FRONT_MAX_OCTETS = 2 << 20,
    RECIPIENTS_MAX = 4096,
    SENDERS_MAX = 64,
    JOBS_MAX = 65536,
};

static const struct field empty_fields[] = { PACK_NUMBER(U8, struct msg_empty, unused) };
static const struct shape empty_shape = SHAPE(struct msg_empty, empty_fields);

static const struct field snapshot_fields[] = {
    PACK_NUMBER(U64, struct msg_snapshot, number),
    PACK_BYTES(struct msg_snapshot, conf, CONF_MAX_OCTETS),
};
static const struct shape snapshot_shape = SHAPE(struct msg_snapshot, snapshot_fields);

static const struct field give_fields[] = {
    PACK_ENUM(struct msg_give, gift, GIFT_IMAP_ROOTS),
    PACK_NUMBER(U32, struct msg_give, index),
    PACK_BYTES(struct msg_give, name, 4096),
};
static const struct shape give_shape = SHAPE(struct msg_give, give_fields);

static const struct field certificate_fields[] = {
    PACK_NUMBER(U32, struct msg_certificate, index),
    PACK_BYTES(struct msg_certificate, name, NAME_MAX_OCTETS),
    PACK_BYTES(struct msg_certificate, chain, CHAIN_MAX_OCTETS),
};
static const struct shape certificate_shape = SHAPE(struct msg_certificate, certificate_fields);

static const struct field peer_fields[] = {
    PACK_ENUM(struct msg_peer, role, ROLE_COUNT - 1),
    PACK_NUMBER(U32, struct msg_peer, index),
    PACK_NUMBER(U64, struct msg_peer, number),
};
static const struct shape peer_shape = SHAPE(struct msg_peer, peer_fields);

static const struct field number_fields[] = { PACK_NUMBER(U64, struct msg_number, number) };
static const struct shape number_shape = SHAPE(struct msg_number, number_fields);

static const struct field need_fields[] = {
    PACK_NUMBER(U32, struct msg_need, blanks),
    PACK_NUMBER(U32, struct msg_need, spares),
};
static const struct shape need_shape = SHAPE(struct msg_need, need_fields);

static const struct field blank_fields[] = {
    PACK_NUMBER(U64, struct msg_blank, generation),
    PACK_NUMBER(U64, struct msg_blank, size),
    PACK_NUMBER(U64, struct msg_blank, start),
};
static const struct shape blank_shape = SHAPE(struct msg_blank, blank_fields);

static const struct field spare_fields[] = { PACK_NUMBER(U64, struct msg_spare, number) };
static const struct shape spare_shape = SHAPE(struct msg_spare, spare_fields);

static const struct field doorbell_fields[] = {
    PACK_NUMBER(U64, struct msg_doorbell, generation),
    PACK_NUMBER(U64, struct msg_doorbell, upto),
    PACK_NUMBER(BOOL, struct msg_doorbell, final),
};
static const struct shape doorbell_shape = SHAPE(struct msg_doorbell, doorbell_fields);

static const struct field cut_fields[] = {
    PACK_NUMBER(U64, struct msg_cut, generation),
    PACK_NUMBER(U64, struct msg_cut, upto),
};
static const struct shape cut_shape = SHAPE(struct msg_cut, cut_fields);

static const struct field disk_fields[] = { PACK_NUMBER(BOOL, struct msg_disk, full) };
static const struct shape disk_shape = SHAPE(struct msg_disk, disk_fields);

static const struct field held_ask_fields[] = {
    PACK_NUMBER(U64, struct msg_held_ask, request),
    PACK_BYTES(struct msg_held_ask, user, NAME_MAX_OCTETS),
    PACK_NUMBER(U64, struct msg_held_ask, size),
};
static const struct shape held_ask_shape = SHAPE(struct msg_held_ask, held_ask_fields);

static const struct field held_answer_fields[] = {
    PACK_NUMBER(U64, struct msg_held_answer, request),
    PACK_NUMBER(BOOL, struct msg_held_answer, has_room),
};
static const struct shape held_answer_shape = SHAPE(struct msg_held_answer, held_answer_fields);

static const struct field partial_key_fields[] = {
    PACK_BYTES(struct msg_partial_key, user, 512),
    PACK_BYTES(struct msg_partial_key, ehlo, 512),
    PACK_BYTES(struct msg_partial_key, transid, 80),
    PACK_BYTES(struct msg_partial_key, proof, 32),
    PACK_BYTES(struct msg_partial_key, mail, 4096),
};
static const struct shape partial_key_shape = SHAPE(struct msg_partial_key, partial_key_fields);

static const struct field partial_ask_fields[] = {
    PACK_NUMBER(U64, struct msg_partial_ask, request),
    PACK_SHAPE(struct msg_partial_ask, key, &partial_key_shape),
};
static const struct shape partial_ask_shape = SHAPE(struct msg_partial_ask, partial_ask_fields);

static const struct field partial_recipient_fields[] = {
    PACK_BYTES(struct msg_partial_recipient, address, 512),
    PACK_NUMBER(U32, struct msg_partial_recipient, flags),
    PACK_NUMBER(U8, struct msg_partial_recipient, notify),
    PACK_BYTES(struct msg_partial_recipient, orcpt, 500),
    PACK_NUMBER(U8, struct msg_partial_recipient, rrvs),
    PACK_NUMBER(I64, struct msg_partial_recipient, rrvs_since),
};
static const struct shape partial_recipient_shape =
    SHAPE(struct msg_partial_recipient, partial_recipient_fields);

static const struct field partial_content_fields[] = {
    PACK_LIST(struct msg_partial_content, recipients, recipient_count, &partial_recipient_shape,
        RECIPIENTS_MAX),
    PACK_NUMBER(U64, struct msg_partial_content, octets),
    PACK_BYTES(struct msg_partial_content, front, FRONT_MAX_OCTETS),
    PACK_NUMBER(U64, struct msg_partial_content, body_file),
    PACK_NUMBER(U64, struct msg_partial_content, body_octets),
    PACK_NUMBER(U64, struct msg_partial_content, body_size),
    PACK_NUMBER(U64, struct msg_partial_content, body_checksum),
};
static const struct shape partial_content_shape =
    SHAPE(struct msg_partial_content, partial_content_fields);

static const struct field partial_state_fields[] = {
    PACK_NUMBER(U64, struct msg_partial_state, request),
    PACK_ENUM(struct msg_partial_state, found, PARTIAL_COMPLETE),
    PACK_NUMBER(U64, struct msg_partial_state, id_high),
    PACK_NUMBER(U64, struct msg_partial_state, id_low),
    PACK_SHAPE(struct msg_partial_state, content, &partial_content_shape),
};
static const struct shape partial_state_shape =
    SHAPE(struct msg_partial_state, partial_state_fields);

static const struct field partial_keep_fields[] = {
    PACK_NUMBER(U64, struct msg_partial_keep, request),
    PACK_SHAPE(struct msg_partial_keep, key, &partial_key_shape),
    PACK_SHAPE(struct msg_partial_keep, content, &partial_content_shape),
};
static const struct shape partial_keep_shape = SHAPE(struct msg_partial_keep, partial_keep_fields);

static const struct field partial_end_fields[] = {
    PACK_NUMBER(U64, struct msg_partial_end, request),
    PACK_SHAPE(struct msg_partial_end, key, &partial_key_shape),
    PACK_ENUM(struct msg_partial_end, end, PARTIAL_TAKEN),
    PACK_NUMBER(U64, struct msg_partial_end, id_high),
    PACK_NUMBER(U64, struct msg_partial_end, id_low),
    PACK_SHAPE(struct msg_partial_end, content, &partial_content_shape),
};
static const struct shape partial_end_shape = SHAPE(struct msg_partial_end, partial_end_fields);

static const struct field auth_start_fields[] = {
    PACK_NUMBER(U64, struct msg_auth_start, session),
    PACK_BYTES(struct msg_auth_start, mechanism, 64),
    PACK_NUMBER(BOOL, struct msg_auth_start, has_initial),
    PACK_BYTES(struct msg_auth_start, initial, BLOB_MAX_OCTETS),
    PACK_BYTES(struct msg_auth_start, client, 64),
    PACK_NUMBER(BOOL, struct msg_auth_start, tls),
    PACK_BYTES(struct msg_auth_start, channel_binding, 64),
    PACK_BYTES(struct msg_auth_start, tls_unique, 64),
    PACK_BYTES(struct msg_auth_start, external, NAME_MAX_OCTETS),
};
static const struct shape auth_start_shape = SHAPE(struct msg_auth_start, auth_start_fields);

static const struct field auth_step_fields[] = {
    PACK_NUMBER(U64, struct msg_auth_step, session),
    PACK_BYTES(struct msg_auth_step, data, BLOB_MAX_OCTETS),
};
static const struct shape auth_step_shape = SHAPE(struct msg_auth_step, auth_step_fields);

static const struct field session_fields[] = { PACK_NUMBER(U64, struct msg_session, session) };
static const struct shape session_shape = SHAPE(struct msg_session, session_fields);

static const struct field sender_fields[] = { PACK_BYTES(
    struct msg_sender, pattern, NAME_MAX_OCTETS) };
static const struct shape sender_shape = SHAPE(struct msg_sender, sender_fields);

static const struct field scope_fields[] = {
    PACK_NUMBER(BOOL, struct msg_scope, may_submit),
    PACK_LIST(struct msg_scope, senders, sender_count, &sender_shape, SENDERS_MAX),
    PACK_LIST(struct msg_scope, recipients, recipient_count, &sender_shape, SENDERS_MAX),
    PACK_NUMBER(U64, struct msg_scope, max_recipients),
    PACK_NUMBER(U64, struct msg_scope, max_size),
};
static const struct shape scope_shape = SHAPE(struct msg_scope, scope_fields);

static const struct field auth_done_fields[] = {
    PACK_NUMBER(U64, struct msg_auth_done, session),
    PACK_ENUM(struct msg_auth_done, result, AUTH_NO_INITIAL),
    PACK_BYTES(struct msg_auth_done, user, NAME_MAX_OCTETS),
    PACK_NUMBER(BOOL, struct msg_auth_done, may_submit),
    PACK_LIST(struct msg_auth_done, senders, sender_count, &sender_shape, SENDERS_MAX),
    PACK_NUMBER(BOOL, struct msg_auth_done, more_senders),
    PACK_LIST(struct msg_auth_done, recipients, recipient_count, &sender_shape, SENDERS_MAX),
    PACK_NUMBER(BOOL, struct msg_auth_done, more_recipients),
    PACK_NUMBER(U64, struct msg_auth_done, max_recipients),
    PACK_NUMBER(U64, struct msg_auth_done, max_size),
    PACK_NUMBER(BOOL, struct msg_auth_done, is_narrowed),
    PACK_SHAPE(struct msg_auth_done, scope, &scope_shape),
    PACK_BYTES(struct msg_auth_done, proof, 32),
};
static const struct shape auth_done_shape = SHAPE(struct msg_auth_done, auth_done_fields);

static const struct field rights_fields[] = {
    PACK_NUMBER(U64, struct msg_rights, session),
    PACK_BYTES(struct msg_rights, user, NAME_MAX_OCTETS),
    PACK_BYTES(struct msg_rights, address, NAME_MAX_OCTETS),
    PACK_ENUM(struct msg_rights, question, ASK_RECIPIENT),
};
static const struct shape rights_shape = SHAPE(struct msg_rights, rights_fields);

static const struct field rights_done_fields[] = {
    PACK_NUMBER(U64, struct msg_rights_done, session),
    PACK_NUMBER(BOOL, struct msg_rights_done, allowed),
};
static const struct shape rights_done_shape = SHAPE(struct msg_rights_done, rights_done_fields);

static const struct field sign_fields[] = {
    PACK_NUMBER(U64, struct msg_sign, request),
    PACK_NUMBER(U32, struct msg_sign, key),
    PACK_NUMBER(U32, struct msg_sign, algorithm),
    PACK_BYTES(struct msg_sign, input, BLOB_MAX_OCTETS),
};
static const struct shape sign_shape = SHAPE(struct msg_sign, sign_fields);

static const struct field signed_fields[] = {
    PACK_NUMBER(U64, struct msg_signed, request),
    PACK_NUMBER(BOOL, struct msg_signed, ok),
    PACK_BYTES(struct msg_signed, signature, BLOB_MAX_OCTETS),
};
static const struct shape signed_shape = SHAPE(struct msg_signed, signed_fields);

static const struct field ticket_key_fields[] = { PACK_BYTES(struct msg_ticket_key, octets, 80) };
static const struct shape ticket_key_shape = SHAPE(struct msg_ticket_key, ticket_key_fields);
static const struct field ticket_keys_fields[] = {
    PACK_LIST(struct msg_ticket_keys, keys, key_count, &ticket_key_shape, 4),
};
static const struct shape ticket_keys_shape = SHAPE(struct msg_ticket_keys, ticket_keys_fields);

static const struct field domain_ask_fields[] = {
    PACK_NUMBER(U64, struct msg_domain_ask, request),
    PACK_BYTES(struct msg_domain_ask, domain, 255),
};
static const struct shape domain_ask_shape = SHAPE(struct msg_domain_ask, domain_ask_fields);

static const struct field domain_answer_fields[] = {
    PACK_NUMBER(U64, struct msg_domain_answer, request),
    PACK_ENUM(struct msg_domain_answer, verdict, DOMAIN_SILENT),
};
static const struct shape domain_answer_shape =
    SHAPE(struct msg_domain_answer, domain_answer_fields);

static const struct field job_ref_fields[] = {
    PACK_NUMBER(U64, struct msg_job_ref, job),
    PACK_NUMBER(U64, struct msg_job_ref, id_high),
    PACK_NUMBER(U64, struct msg_job_ref, id_low),
};
static const struct shape job_ref_shape = SHAPE(struct msg_job_ref, job_ref_fields);
static const struct field in_hand_fields[] = {
    PACK_LIST(struct msg_in_hand, jobs, job_count, &job_ref_shape, JOBS_MAX),
};
static const struct shape in_hand_shape = SHAPE(struct msg_in_hand, in_hand_fields);

static const struct field recipient_fields[] = {
    PACK_NUMBER(U32, struct msg_recipient, index),
    PACK_BYTES(struct msg_recipient, address, NAME_MAX_OCTETS),
    PACK_NUMBER(U8, struct msg_recipient, notify),
    PACK_BYTES(struct msg_recipient, orcpt, NAME_MAX_OCTETS),
    PACK_NUMBER(U8, struct msg_recipient, rrvs),
    PACK_NUMBER(I64, struct msg_recipient, rrvs_since),
};
static const struct shape recipient_shape = SHAPE(struct msg_recipient, recipient_fields);

static const struct field job_fields[] = {
    PACK_NUMBER(U64, struct msg_job, job),
    PACK_NUMBER(U64, struct msg_job, snapshot),
    PACK_NUMBER(U32, struct msg_job, route),
    PACK_NUMBER(U64, struct msg_job, id_high),
    PACK_NUMBER(U64, struct msg_job, id_low),
    PACK_NUMBER(I64, struct msg_job, arrival_us),
    PACK_BYTES(struct msg_job, destination, NAME_MAX_OCTETS),
    PACK_BYTES(struct msg_job, sender, NAME_MAX_OCTETS),
    PACK_NUMBER(BOOL, struct msg_job, eight_bit),
    PACK_NUMBER(BOOL, struct msg_job, eight_bit_header),
    PACK_NUMBER(BOOL, struct msg_job, binary),
    PACK_NUMBER(BOOL, struct msg_job, smtputf8),
    PACK_LIST(struct msg_job, recipients, recipient_count, &recipient_shape, RECIPIENTS_MAX),
    PACK_BYTES(struct msg_job, header, HEADER_MAX_OCTETS),
    PACK_BYTES(struct msg_job, body, BODY_MAX_OCTETS),
    PACK_NUMBER(U64, struct msg_job, body_size),
    PACK_NUMBER(U8, struct msg_job, ret),
    PACK_BYTES(struct msg_job, envid, NAME_MAX_OCTETS),
    PACK_NUMBER(BOOL, struct msg_job, require_tls),
    PACK_NUMBER(U8, struct msg_job, by),
    PACK_NUMBER(BOOL, struct msg_job, by_trace),
    PACK_NUMBER(I64, struct msg_job, by_time),
    PACK_NUMBER(U8, struct msg_job, priority),
    PACK_BYTES(struct msg_job, mtrk_certifier, NAME_MAX_OCTETS),
    PACK_NUMBER(I64, struct msg_job, mtrk_until),
    PACK_BYTES(struct msg_job, solicit, NAME_MAX_OCTETS),
    PACK_NUMBER(BOOL, struct msg_job, conperm),
};
static const struct shape job_shape = SHAPE(struct msg_job, job_fields);

static const struct field result_fields[] = {
    PACK_NUMBER(U32, struct msg_result, index),
    PACK_ENUM(struct msg_result, result, DELIVERY_RETURNED),
    PACK_ENUM(struct msg_result, cause, CAUSE_LOCAL),
    PACK_NUMBER(U16, struct msg_result, code),
    PACK_ENUM(struct msg_result, end, END_DELIVERED),
    PACK_BYTES(struct msg_result, status, 16),
    PACK_BYTES(struct msg_result, text, TEXT_MAX_OCTETS),
};
static const struct shape result_shape = SHAPE(struct msg_result, result_fields);

static const struct field outcome_fields[] = {
    PACK_NUMBER(U64, struct msg_outcome, job),
    PACK_NUMBER(U64, struct msg_outcome, id_high),
    PACK_NUMBER(U64, struct msg_outcome, id_low),
    PACK_NUMBER(I64, struct msg_outcome, started_us),
    PACK_NUMBER(I64, struct msg_outcome, finished_us),
    PACK_BYTES(struct msg_outcome, remote_host, NAME_MAX_OCTETS),
    PACK_BYTES(struct msg_outcome, remote_address, NAME_MAX_OCTETS),
    PACK_BYTES(struct msg_outcome, tls_version, 32),
    PACK_BYTES(struct msg_outcome, tls_cipher, 64),
    PACK_LIST(struct msg_outcome, results, result_count, &result_shape, RECIPIENTS_MAX),
};
static const struct shape outcome_shape = SHAPE(struct msg_outcome, outcome_fields);

static const struct field login_start_fields[] = {
    PACK_NUMBER(U64, struct msg_login_start, login),
    PACK_NUMBER(U64, struct msg_login_start, snapshot),
    PACK_NUMBER(U32, struct msg_login_start, route),
    PACK_NUMBER(BOOL, struct msg_login_start, verified),
    PACK_BYTES(struct msg_login_start, host, NAME_MAX_OCTETS),
    PACK_BYTES(struct msg_login_start, mechanisms, NAME_MAX_OCTETS),
};
static const struct shape login_start_shape = SHAPE(struct msg_login_start, login_start_fields);

static const struct field login_step_fields[] = {
    PACK_NUMBER(U64, struct msg_login_step, login),
    PACK_BYTES(struct msg_login_step, data, BLOB_MAX_OCTETS),
};
static const struct shape login_step_shape = SHAPE(struct msg_login_step, login_step_fields);

static const struct field login_say_fields[] = {
    PACK_NUMBER(U64, struct msg_login_say, login),
    PACK_NUMBER(BOOL, struct msg_login_say, failed),
    PACK_BYTES(struct msg_login_say, mechanism, 64),
    PACK_NUMBER(BOOL, struct msg_login_say, has_data),
    PACK_BYTES(struct msg_login_say, data, BLOB_MAX_OCTETS),
    PACK_BYTES(struct msg_login_say, text, TEXT_MAX_OCTETS),
};
static const struct shape login_say_shape = SHAPE(struct msg_login_say, login_say_fields);

static const struct field login_fields[] = { PACK_NUMBER(U64, struct msg_login, login) };
static const struct shape login_shape = SHAPE(struct msg_login, login_fields);

static const struct field fetch_fields[] = {
    PACK_NUMBER(U64, struct msg_fetch, request),
    PACK_NUMBER(U64, struct msg_fetch, snapshot),
    PACK_ENUM(struct msg_fetch, target, FETCH_TOKEN),
    PACK_BYTES(struct msg_fetch, token, FETCH_TOKEN_MAX),
};
static const struct shape fetch_shape = SHAPE(struct msg_fetch, fetch_fields);

static const struct field fetched_fields[] = {
    PACK_NUMBER(U64, struct msg_fetched, request),
    PACK_ENUM(struct msg_fetched, result, FETCH_FAILED),
    PACK_BYTES(struct msg_fetched, document, FETCH_DOCUMENT_MAX),
    PACK_NUMBER(BOOL, struct msg_fetched, has_age),
    PACK_NUMBER(U64, struct msg_fetched, age_most),
};
static const struct shape fetched_shape = SHAPE(struct msg_fetched, fetched_fields);

static const struct field request_fields[] = { PACK_NUMBER(U64, struct msg_request, request) };
static const struct shape request_shape = SHAPE(struct msg_request, request_fields);

static const struct field url_fields[] = {
    PACK_NUMBER(U64, struct msg_url, request),
    PACK_NUMBER(U64, struct msg_url, snapshot),
    PACK_BYTES(struct msg_url, server, NAME_MAX_OCTETS),
    PACK_BYTES(struct msg_url, url, 4096),
    PACK_NUMBER(U64, struct msg_url, most),
};
static const struct shape url_shape = SHAPE(struct msg_url, url_fields);

static const struct field url_done_fields[] = {
    PACK_NUMBER(U64, struct msg_url_done, request),
    PACK_ENUM(struct msg_url_done, result, URL_UNTRUSTED),
    PACK_NUMBER(U64, struct msg_url_done, octets),
};
static const struct shape url_done_shape = SHAPE(struct msg_url_done, url_done_fields);

enum {
    SUPERVISOR = 1 << ROLE_SUPERVISOR,
    GATE = 1 << ROLE_GATE,
    VAULT = 1 << ROLE_VAULT,
    QUEUE = 1 << ROLE_QUEUE,
    RELAY = 1 << ROLE_RELAY,
    CARRIERS = 1 << ROLE_RELAY | 1 << ROLE_MAILDROP,
    FETCH = 1 << ROLE_FETCH,
    ROOMS = GATE | VAULT | QUEUE | CARRIERS | FETCH,
};

static const struct message_row table[MESSAGE_TYPE_COUNT] = {
    /* type, name, from, to, fewest and most descriptors, shape, secret */
    [MSG_SNAPSHOT] = { MSG_SNAPSHOT, "snapshot", SUPERVISOR, ROOMS, 0, 0, &snapshot_shape },
    [MSG_GIVE] = { MSG_GIVE, "give", SUPERVISOR, ROOMS, 1, 1, &give_shape },
    [MSG_CERTIFICATE] = { MSG_CERTIFICATE, "certificate", SUPERVISOR, GATE | VAULT, 0, 0,
        &certificate_shape },
    [MSG_PEER] = { MSG_PEER, "peer", SUPERVISOR, ROOMS, 1, 1, &peer_shape },
    [MSG_APPLY] = { MSG_APPLY, "apply", SUPERVISOR, ROOMS, 0, 0, &number_shape },
    [MSG_DRAIN] = { MSG_DRAIN, "drain", SUPERVISOR, ROOMS, 0, 0, &empty_shape },
    [MSG_READY] = { MSG_READY, "ready", ROOMS, SUPERVISOR, 0, 0, &number_shape },
    [MSG_DRAINED] = { MSG_DRAINED, "drained", ROOMS, SUPERVISOR, 0, 0, &empty_shape },
    [MSG_NEED] = { MSG_NEED, "need", GATE, QUEUE, 0, 0, &need_shape },
    [MSG_BLANK] = { MSG_BLANK, "blank", QUEUE, GATE, 1, 1, &blank_shape },
    [MSG_SPARE] = { MSG_SPARE, "spare", QUEUE, GATE, 1, 1, &spare_shape },
    [MSG_DOORBELL] = { MSG_DOORBELL, "doorbell", GATE, QUEUE, 0, 0, &doorbell_shape },
    [MSG_CUT] = { MSG_CUT, "cut", GATE, QUEUE, 0, 0, &cut_shape },
    [MSG_CUT_DONE] = { MSG_CUT_DONE, "cut-done", QUEUE, GATE, 0, 0, &cut_shape },
    [MSG_DISK] = { MSG_DISK, "disk", QUEUE, GATE, 0, 0, &disk_shape },
    [MSG_HELD_ASK] = { MSG_HELD_ASK, "held-ask", GATE, QUEUE, 0, 0, &held_ask_shape },
    [MSG_HELD_ANSWER] = { MSG_HELD_ANSWER, "held-answer", QUEUE, GATE, 0, 0, &held_answer_shape },
    [MSG_AUTH_START] = { MSG_AUTH_START, "auth-start", GATE, VAULT, 0, 0, &auth_start_shape, true },
    [MSG_AUTH_STEP] = { MSG_AUTH_STEP, "auth-step", GATE, VAULT, 0, 0, &auth_step_shape, true },
    [MSG_AUTH_CANCEL] = { MSG_AUTH_CANCEL, "auth-cancel", GATE, VAULT, 0, 0, &session_shape },
    [MSG_AUTH_SAY] = { MSG_AUTH_SAY, "auth-say", VAULT, GATE, 0, 0, &auth_step_shape, true },
    [MSG_AUTH_DONE] = { MSG_AUTH_DONE, "auth-done", VAULT, GATE, 0, 0, &auth_done_shape },
    [MSG_RIGHTS] = { MSG_RIGHTS, "rights", GATE, VAULT, 0, 0, &rights_shape },
    [MSG_RIGHTS_DONE] = { MSG_RIGHTS_DONE, "rights-done", VAULT, GATE, 0, 0, &rights_done_shape },
    [MSG_SIGN] = { MSG_SIGN, "sign", GATE, VAULT, 0, 0, &sign_shape },
    [MSG_SIGNED] = { MSG_SIGNED, "signed", VAULT, GATE, 0, 0, &signed_shape },
    [MSG_TICKET_KEYS] = { MSG_TICKET_KEYS, "ticket-keys", VAULT, GATE, 0, 0, &ticket_keys_shape,
        true },
    [MSG_DOMAIN_ASK] = { MSG_DOMAIN_ASK, "domain-ask", GATE, RELAY, 0, 0, &domain_ask_shape },
    [MSG_DOMAIN_ANSWER] = { MSG_DOMAIN_ANSWER, "domain-answer", RELAY, GATE, 0, 0,
        &domain_answer_shape },
    [MSG_IN_HAND] = { MSG_IN_HAND, "in-hand", CARRIERS, QUEUE, 0, 0, &in_hand_shape },
    [MSG_JOB] = { MSG_JOB, "job", QUEUE, CARRIERS, 0, 1, &job_shape },
    [MSG_OUTCOME] = { MSG_OUTCOME, "outcome", CARRIERS, QUEUE, 0, 0, &outcome_shape },
    [MSG_OUTCOME_DONE] = { MSG_OUTCOME_DONE, "outcome-done", QUEUE, CARRIERS, 0, 0,
        &job_ref_shape },
    [MSG_FORGIVE] = { MSG_FORGIVE, "forgive", QUEUE, RELAY, 0, 0, &empty_shape },
    [MSG_LOGIN_START] = { MSG_LOGIN_START, "login-start", RELAY | FETCH, VAULT, 0, 0,
        &login_start_shape },
    [MSG_LOGIN_STEP] = { MSG_LOGIN_STEP, "login-step", RELAY | FETCH, VAULT, 0, 0,
        &login_step_shape },
    [MSG_LOGIN_SAY] = { MSG_LOGIN_SAY, "login-say", VAULT, RELAY | FETCH, 0, 0, &login_say_shape,
        true },
    [MSG_LOGIN_END] = { MSG_LOGIN_END, "login-end", RELAY | FETCH, VAULT, 0, 0, &login_shape },
    [MSG_LOST] = { MSG_LOST, "lost", ROOMS, SUPERVISOR, 0, 0, &number_shape },
    [MSG_FETCH] = { MSG_FETCH, "fetch", VAULT, FETCH, 0, 0, &fetch_shape, true },
    [MSG_FETCHED] = { MSG_FETCHED, "fetched", FETCH, VAULT, 0, 0, &fetched_shape },
    [MSG_FETCH_CANCEL] = { MSG_FETCH_CANCEL, "fetch-cancel", VAULT, FETCH, 0, 0, &request_shape },
    [MSG_URL] = { MSG_URL, "url", GATE, FETCH, 1, 1, &url_shape },
    [MSG_URL_DONE] = { MSG_URL_DONE, "url-done", FETCH, GATE, 0, 0, &url_done_shape },
    [MSG_URL_CANCEL] = { MSG_URL_CANCEL, "url-cancel", GATE, FETCH, 0, 0, &request_shape },
    [MSG_PARTIAL_ASK] = { MSG_PARTIAL_ASK, "partial-ask", GATE, QUEUE, 0, 0, &partial_ask_shape },
    [MSG_PARTIAL_STATE] = { MSG_PARTIAL_STATE, "partial-state", QUEUE, GATE, 0, 1,
        &partial_state_shape },
    [MSG_PARTIAL_YIELD] = { MSG_PARTIAL_YIELD, "partial-yield", QUEUE, GATE, 0, 0, &number_shape },
    [MSG_PARTIAL_KEEP] = { MSG_PARTIAL_KEEP, "partial-keep", GATE, QUEUE, 0, 0,
        &partial_keep_shape },
    [MSG_PARTIAL_END] = { MSG_PARTIAL_END, "partial-end", GATE, QUEUE, 0, 0, &partial_end_shape },
};

const struct message_row *message_row(unsigned type)
{
    return type < MESSAGE_TYPE_COUNT ? &table[type] : NULL;
}
