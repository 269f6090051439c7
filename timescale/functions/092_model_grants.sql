-- Who may have models tried, and who tries them.
GRANT EXECUTE ON FUNCTION fleet.open_model_probe(), fleet.finish_model_probe(uuid, text) TO fleet_worker;
GRANT EXECUTE ON FUNCTION fleet.request_model(text, text, text, text, bigint) TO fleet_control;
