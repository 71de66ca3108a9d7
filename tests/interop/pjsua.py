"""pjsua's library (PJSUA2 2.15.1, package pjsua2-python from PyPI) as phones of one process.

A call lives in the thread that made it, so everything here happens while the check waits in `run`.
"""

import time

import pjsua2 as pj

from world import PATIENCE_S


class Phones:
    """pjsua's endpoint: there is one in a process."""

    def __init__(self, server, log):
        self.server = server
        self.endpoint = pj.Endpoint()
        self.endpoint.libCreate()
        settings = pj.EpConfig()
        settings.uaConfig.threadCnt = 0
        settings.uaConfig.mainThreadOnly = True
        settings.logConfig.filename = str(log)
        settings.logConfig.level = 5
        settings.logConfig.consoleLevel = 0
        settings.medConfig.noVad = True
        settings.medConfig.clockRate = 8000
        settings.medConfig.ecTailLen = 0
        self.endpoint.libInit(settings)
        self.transports = {}
        for name, kind in [("udp", pj.PJSIP_TRANSPORT_UDP), ("tcp", pj.PJSIP_TRANSPORT_TCP),
                           ("tls", pj.PJSIP_TRANSPORT_TLS)]:
            transport = pj.TransportConfig()
            transport.boundAddress = transport.publicAddress = "127.0.0.1"
            transport.tlsConfig.CaListFile = str(server.folder / "cert.pem")
            transport.tlsConfig.verifyServer = True
            self.transports[name] = self.endpoint.transportCreate(kind, transport)
        self.endpoint.libStart()
        self.endpoint.audDevManager().setNullDev()
        self.phones = []

    def run(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.endpoint.libHandleEvents(10)

    def until(self, what, look, patience_s=PATIENCE_S):
        end = time.monotonic() + patience_s
        while True:
            self.endpoint.libHandleEvents(10)
            seen = look()
            if seen:
                return seen
            if time.monotonic() > end:
                raise AssertionError(f"{what}: not within {patience_s} s")

    def phone(self, name, transport="udp", srtp="off", timers="optional", reliable=False,
              register=True, password="wonder"):
        phone = Phone(self, name, transport, srtp, timers, reliable, register, password)
        self.phones.append(phone)
        return phone



class Phone(pj.Account):
    """One account with one transport."""

    def __init__(self, phones, name, transport, srtp, timers, reliable, register, password):
        super().__init__()
        self.phones, self.name, self.transport = phones, name, transport
        self.calls, self.registered, self.speech, self.kept = [], None, None, None
        server = phones.server
        port = server.tls if transport == "tls" else server.port
        self.at = f"127.0.0.1:{port};transport={transport}"
        config = pj.AccountConfig()
        config.idUri = f"sip:{name}@127.0.0.1:{port}"
        config.regConfig.registrarUri = f"sip:{self.at}"
        config.regConfig.registerOnAdd = register
        config.regConfig.timeoutSec = 120
        config.sipConfig.transportId = phones.transports[transport]
        # What is not known to the registrar goes through it.
        config.sipConfig.proxies.append(f"sip:{self.at};lr")
        config.sipConfig.authCreds.append(
            pj.AuthCredInfo("digest", "*", name, pj.PJSIP_CRED_DATA_PLAIN_PASSWD, password))
        config.callConfig.timerUse = {
            "off": pj.PJSUA_SIP_TIMER_INACTIVE, "optional": pj.PJSUA_SIP_TIMER_OPTIONAL,
            "always": pj.PJSUA_SIP_TIMER_ALWAYS}[timers]
        config.callConfig.timerSessExpiresSec = 120
        if reliable:
            config.callConfig.prackUse = pj.PJSUA_100REL_MANDATORY
        config.mediaConfig.srtpUse = {
            "off": pj.PJMEDIA_SRTP_DISABLED, "optional": pj.PJMEDIA_SRTP_OPTIONAL,
            "required": pj.PJMEDIA_SRTP_MANDATORY}[srtp]
        config.mediaConfig.srtpSecureSignaling = 0
        config.mediaConfig.transportConfig.boundAddress = "127.0.0.1"
        config.mediaConfig.transportConfig.port = 41000
        config.mediaConfig.transportConfig.portRange = 900
        self.create(config)

    def onRegState(self, state):
        self.registered = self.getInfo().regIsActive, state.code

    def is_registered(self):
        return self.registered and self.registered[0]

    def onIncomingCall(self, incoming):
        call = Call(self, incoming.callId)
        self.calls.append(call)
        word = pj.CallOpParam()
        word.statusCode = 200
        call.answer(word)

    def call(self, user, uri=None):
        call = Call(self)
        self.calls.append(call)
        call.makeCall(uri or f"sip:{user}@{self.at}", pj.CallOpParam(True))
        return call


class Call(pj.Call):
    """One call: it speaks a file and keeps what it hears."""

    def __init__(self, phone, number=pj.PJSUA_INVALID_ID):
        super().__init__(phone, number)
        self.phone, self.state, self.code = phone, None, 0
        self.speech, self.kept = phone.speech, phone.kept
        self.speaker, self.keeper = None, None
        self.transfer, self.digits = [], []

    def onCallState(self, _):
        info = self.getInfo()
        self.state, self.code = info.state, info.lastStatusCode

    def onCallMediaState(self, _):
        # What it tells of a call dies with the whole.
        info = self.getInfo()
        for at in range(len(info.media)):
            media = info.media[at]
            if media.type == pj.PJMEDIA_TYPE_AUDIO and media.status == pj.PJSUA_CALL_MEDIA_ACTIVE:
                audio = self.getAudioMedia(at)
                if self.speaker is None and self.speech:
                    self.speaker = pj.AudioMediaPlayer()
                    self.speaker.createPlayer(str(self.speech))
                if self.keeper is None and self.kept:
                    self.keeper = pj.AudioMediaRecorder()
                    self.keeper.createRecorder(str(self.kept))
                if self.speaker:
                    self.speaker.startTransmit(audio)
                if self.keeper:
                    audio.startTransmit(self.keeper)

    def onCallTransferStatus(self, told):
        self.transfer.append(told.statusCode)

    def onDtmfDigit(self, told):
        self.digits.append(told.digit)

    def is_up(self):
        return self.state == pj.PJSIP_INV_STATE_CONFIRMED

    def is_over(self):
        return self.state == pj.PJSIP_INV_STATE_DISCONNECTED
