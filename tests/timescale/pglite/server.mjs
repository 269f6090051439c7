// One PostgreSQL with TimescaleDB on a free port of this machine, until standard input ends.
// usage: node server.mjs FOLDER_OF_THE_PACKAGE; prints the port. One client at a time; no COPY, which PGlite reads elsewhere.
import net from 'node:net'

const folder = `file://${process.argv[2]}/dist/`
const { PGlite } = await import(`${folder}index.js`)
const { timescaledb } = await import(`${folder}timescaledb/index.js`)
const SSL_REQUEST = 80877103
const GSS_REQUEST = 80877104

const database = await PGlite.create({ extensions: { timescaledb } })
await database.exec('CREATE EXTENSION timescaledb')

// Cuts what comes in into messages of the protocol, and answers them in their order.
function serve(socket) {
  let waiting = Buffer.alloc(0)
  let hasStarted = false
  let answered = Promise.resolve()

  function take() {
    const lengthAt = hasStarted ? 1 : 0 // the first message has no letter before its length
    if (waiting.length < lengthAt + 4) return null
    const end = lengthAt + waiting.readInt32BE(lengthAt)
    if (waiting.length < end) return null
    const message = new Uint8Array(waiting.subarray(0, end))
    waiting = waiting.subarray(end)
    return message
  }

  socket.on('data', (data) => {
    waiting = Buffer.concat([waiting, data])
    for (let message = take(); message; message = take()) {
      const code = hasStarted ? 0 : Buffer.from(message).readInt32BE(4)
      if (code === SSL_REQUEST || code === GSS_REQUEST) {
        socket.write('N')
        continue
      }
      hasStarted = true
      answered = answered
        .then(() => database.execProtocolRaw(message))
        .then((answer) => socket.write(answer))
        .catch((error) => {
          console.error(error)
          socket.destroy()
        })
    }
  })
  socket.on('error', () => socket.destroy())
}

const server = net.createServer(serve)
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
process.stdin.resume()
process.stdin.on('end', () => process.exit(0))
