// e2e/nodemailer_package/send.js: sends what standard input asks for, {"transport": …, "messages": […]}, all of it at once, and
// tells in JSON what became of each message.
const nodemailer = require('nodemailer')

async function main() {
  let text = ''
  for await (const part of process.stdin) text += part
  const { transport, messages } = JSON.parse(text)
  const mailer = nodemailer.createTransport(transport)
  const results = await Promise.allSettled(messages.map((message) => mailer.sendMail(message)))
  mailer.close()
  process.stdout.write(JSON.stringify(results.map(({ value, reason }) => value
    ? { accepted: value.accepted, rejected: value.rejected, response: value.response }
    : { error: reason.message, code: reason.responseCode, kind: reason.code, command: reason.command })))
}

main()
